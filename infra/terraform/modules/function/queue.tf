# The queue that wakes the function, and the place where its envelopes are parked.

locals {
  queue = var.queue == null ? {} : { this = var.queue }

  # AWS asks for six times the function's timeout, and the batching window on top: a batch that Lambda throttles is
  # tried again for that long before SQS may hand it to somebody else.
  visibility_seconds = 6 * var.timeout_seconds + try(var.queue.window_seconds, 0)

  # The host parks by itself, with a reason, after 20 attempts. This is the net below it: for envelopes that kill
  # the function before it can say anything.
  receives_max = 25

  retention_seconds        = 4 * 24 * 3600
  parked_retention_seconds = 14 * 24 * 3600
}

resource "aws_sqs_queue" "work" {
  for_each                   = local.queue
  name                       = local.full_name
  visibility_timeout_seconds = local.visibility_seconds
  message_retention_seconds  = local.retention_seconds
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.parked[each.key].arn
    maxReceiveCount     = local.receives_max
  })
}

# SQS counts age from the first sending, so this must be longer than the queue's own.
resource "aws_sqs_queue" "parked" {
  for_each                  = local.queue
  name                      = "${local.full_name}--parked"
  message_retention_seconds = local.parked_retention_seconds
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_redrive_allow_policy" "parked" {
  for_each  = local.queue
  queue_url = aws_sqs_queue.parked[each.key].id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.work[each.key].arn]
  })
}

resource "aws_lambda_event_source_mapping" "this" {
  for_each                           = local.queue
  event_source_arn                   = aws_sqs_queue.work[each.key].arn
  function_name                      = aws_lambda_function.this.arn
  batch_size                         = each.value.batch_size
  maximum_batching_window_in_seconds = each.value.window_seconds

  # Without it, one bad record brings the whole batch again, or none of it.
  function_response_types = ["ReportBatchItemFailures"]

  # Bounds the connections to PostgreSQL.
  scaling_config {
    maximum_concurrency = each.value.concurrency
  }
}
