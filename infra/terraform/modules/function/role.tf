# What the function may do: its own queue, its own logs, the network, and what the caller of this module grants.

resource "aws_iam_role" "this" {
  name = local.full_name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

locals {
  consume = [for key in keys(local.queue) : {
    Sid    = "ConsumeOwnQueue"
    Effect = "Allow"
    Action = [
      "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl"
    ]
    Resource = [aws_sqs_queue.work[key].arn]
  }]

  park = [for key in keys(local.queue) : {
    Sid      = "Park"
    Effect   = "Allow"
    Action   = ["sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    Resource = [aws_sqs_queue.parked[key].arn]
  }]

  run = [
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
    },
    {
      # Lambda makes the function's network interfaces in its name; AWS knows no narrower resource for these.
      Sid    = "NetworkInterfaces"
      Effect = "Allow"
      Action = [
        "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface",
        "ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"
      ]
      Resource = ["*"]
    },
    {
      # The environment of the function is encrypted with it.
      Sid      = "Decrypt"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [var.kms_key_arn]
    },
  ]
}

resource "aws_iam_role_policy" "this" {
  #checkov:skip=CKV_AWS_355:only the statement NetworkInterfaces, see there; a test holds the list of exceptions
  #checkov:skip=CKV_AWS_290:only the statement NetworkInterfaces, see there; a test holds the list of exceptions
  name = "function"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.run, local.consume, local.park, var.statements)
  })
}
