# One function with all that belongs to it: its queue and parking place (queue.tf), its timers (timers.tf), its role
# (role.tf) and its alarms (alarms.tf). They stand together so that none of them can be forgotten.

locals {
  full_name = "${var.prefix}-${var.name}"
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:logs hold no business data, and weeks are enough to find a fault
  name              = "/aws/lambda/${local.full_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:what fails goes to the queue's parking place, or comes again with the next tick of the timer
  #checkov:skip=CKV_AWS_272:who may deploy may also sign; signing adds nothing while both are one role
  #checkov:skip=CKV_AWS_115:the mapping's maximum concurrency bounds it without throttles that burn receive counts
  function_name = local.full_name
  description   = var.description
  role          = aws_iam_role.this.arn

  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = var.environment
  }

  vpc_config {
    subnet_ids         = var.subnets
    security_group_ids = var.security_groups
  }

  # A caller's trace goes through; none is begun here, as each costs and metrics say more.
  tracing_config {
    mode = "PassThrough"
  }

  # Without these a first invocation could find no log group, or no way into the network.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

# An invocation that nobody waits for is a timer's: the next tick is the better retry.
resource "aws_lambda_function_event_invoke_config" "timers" {
  count                        = length(var.timers) > 0 ? 1 : 0
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
