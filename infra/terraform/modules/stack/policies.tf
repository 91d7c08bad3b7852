# Who may do what, beside what every function may (its own queue, its own logs).

locals {
  sqs_arn    = "arn:${local.partition}:sqs:${var.region}:${local.account}:${var.prefix}"
  topics_arn = "arn:${local.partition}:sns:${var.region}:${local.account}:${var.prefix}"

  # Queues per operator and per SMPP customer are made while the platform runs; their parking places match as well.
  made_queues = ["${local.sqs_arn}-submit--*", "${local.sqs_arn}-deliver--*"]

  work_queues = [for name, function in local.functions : "${local.sqs_arn}-${name}" if can(function.queue)]

  # After its commit a function publishes its outbox, and with it what a neighbour left there when it died. So who
  # publishes at all may publish to every work queue: those by name, the made ones by pattern, and the two topics.
  publish = [
    {
      Sid      = "Publish"
      Effect   = "Allow"
      Action   = ["sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
      Resource = concat(local.work_queues, local.made_queues)
    },
    {
      Sid      = "TellNews"
      Effect   = "Allow"
      Action   = ["sns:Publish"]
      Resource = [for topic in ["billing", "messaging"] : "${local.topics_arn}-${topic}"]
    },
    {
      # The topics are encrypted with it.
      Sid      = "EncryptNews"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey"]
      Resource = [aws_kms_key.this.arn]
    },
  ]

  # When an operator or an SMPP system is made, so are its queues. Deleting them is left to people.
  make_queues = [{
    Sid      = "MakeQueues"
    Effect   = "Allow"
    Action   = ["sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    Resource = local.made_queues
  }]

  # Who serves the API sees at its start that every work queue and its parking place are there.
  find_parking = [{
    Sid      = "FindParking"
    Effect   = "Allow"
    Action   = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    Resource = [for queue in local.work_queues : "${queue}--parked"]
  }]

  secrets = {
    database = module.data.database_secret_arn
    redis    = module.data.redis_secret_arn
    key      = module.data.platform_secret_arn
  }

  function_secrets = { for name, function in local.functions : name => [{
    Sid      = "ReadSecrets"
    Effect   = "Allow"
    Action   = ["secretsmanager:GetSecretValue"]
    Resource = [for need in function.needs : local.secrets[need]]
  }] }

  post_to_connections = [{
    Sid      = "PostToConnections"
    Effect   = "Allow"
    Action   = ["execute-api:ManageConnections"]
    Resource = module.api.connections_arns
  }]

  function_statements = { for name, function in local.functions : name => flatten(concat(
    [local.function_secrets[name]],
    [for statements in [local.publish] : statements if try(function.publishes, true)],
    [for statements in [local.make_queues, local.find_parking] : statements if name == "api"],
    [for statements in [local.post_to_connections] : statements if name == "realtime"],
  )) }

  read_secrets = { for who, needs in {
    edge   = ["redis", "key"]
    intake = ["database", "redis", "key"]
    } : who => [
    {
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [for need in needs : local.secrets[need]]
    },
    {
      Sid      = "Decrypt"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [aws_kms_key.this.arn]
    },
  ] }

  # The edge takes what is to be submitted and delivered, and tells what became of it.
  edge_statements = concat(local.read_secrets.edge, local.make_queues, [
    {
      Sid      = "Take"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:SendMessage"]
      Resource = local.made_queues
    },
    {
      Sid      = "Tell"
      Effect   = "Allow"
      Action   = ["sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
      Resource = [for name in ["bill", "dlr", "inbound"] : "${local.sqs_arn}-${name}"]
    },
  ])

  intake_statements = concat(local.read_secrets.intake, local.publish, local.make_queues, local.find_parking)
}
