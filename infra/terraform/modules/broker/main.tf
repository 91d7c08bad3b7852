# RabbitMQ as a service, for installations whose functions run as containers on `amqps://` instead of Lambda and SQS.
# The stack itself stays on SQS; this makes the broker, its user and the URL, and no more.

data "aws_secretsmanager_random_password" "this" {
  password_length     = 48
  exclude_punctuation = true
}

# Kept as it was first drawn. Amazon MQ takes the password only through the state.
resource "terraform_data" "password" {
  input = data.aws_secretsmanager_random_password.this.random_password

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_security_group" "this" {
  name        = "${var.prefix}-rabbitmq"
  description = "RabbitMQ"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each                     = var.clients
  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = each.value
  description                  = "From ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 5671
  to_port                      = 5671
}

resource "aws_vpc_security_group_egress_rule" "clients" {
  for_each                     = var.clients
  security_group_id            = each.value
  referenced_security_group_id = aws_security_group.this.id
  description                  = "RabbitMQ"
  ip_protocol                  = "tcp"
  from_port                    = 5671
  to_port                      = 5671
}

resource "aws_mq_broker" "this" {
  #checkov:skip=CKV_AWS_48:RabbitMQ on Amazon MQ has no audit log; its general log is on
  broker_name                = var.prefix
  engine_type                = "RabbitMQ"
  engine_version             = "3.13"
  host_instance_type         = var.instance_type
  deployment_mode            = var.cluster ? "CLUSTER_MULTI_AZ" : "SINGLE_INSTANCE"
  publicly_accessible        = false
  auto_minor_version_upgrade = true
  subnet_ids                 = var.cluster ? var.subnets : slice(var.subnets, 0, 1)
  security_groups            = [aws_security_group.this.id]

  encryption_options {
    use_aws_owned_key = false
    kms_key_id        = var.kms_key_arn
  }

  logs {
    general = true
  }

  user {
    username = "chappe"
    password = terraform_data.password.output
  }
}

resource "aws_secretsmanager_secret" "url" {
  #checkov:skip=CKV2_AWS_57:Amazon MQ has no rotation of its own
  name                    = "${var.prefix}/rabbitmq-url"
  description             = "QUEUE_URL for containers on RabbitMQ"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "url" {
  secret_id = aws_secretsmanager_secret.url.id
  secret_string_wo = format(
    "amqps://chappe:%s@%s", terraform_data.password.output,
    trimprefix(aws_mq_broker.this.instances[0].endpoints[0], "amqps://")
  )
  secret_string_wo_version = 1
}
