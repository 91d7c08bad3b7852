output "name" {
  value = aws_lambda_function.this.function_name
}

output "arn" {
  value = aws_lambda_function.this.arn
}

output "invoke_arn" {
  value = aws_lambda_function.this.invoke_arn
}

output "role" {
  value = aws_iam_role.this.name
}

output "audit" {
  description = "What the tests hold every function to."
  value = {
    timeout_seconds = aws_lambda_function.this.timeout
    queues = [for key in keys(local.queue) : {
      visibility_seconds   = aws_sqs_queue.work[key].visibility_timeout_seconds
      retention_seconds    = aws_sqs_queue.work[key].message_retention_seconds
      parked_seconds       = aws_sqs_queue.parked[key].message_retention_seconds
      encrypted            = aws_sqs_queue.work[key].sqs_managed_sse_enabled && aws_sqs_queue.parked[key].sqs_managed_sse_enabled
      receives_max         = jsondecode(aws_sqs_queue.work[key].redrive_policy).maxReceiveCount
      parks_into_own       = jsondecode(aws_sqs_queue.work[key].redrive_policy).deadLetterTargetArn == aws_sqs_queue.parked[key].arn
      window_seconds       = aws_lambda_event_source_mapping.this[key].maximum_batching_window_in_seconds
      reports_item_failure = contains(aws_lambda_event_source_mapping.this[key].function_response_types, "ReportBatchItemFailures")
      concurrency          = aws_lambda_event_source_mapping.this[key].scaling_config[0].maximum_concurrency
    }]
    encrypted = aws_lambda_function.this.kms_key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    alarms    = concat(keys(aws_cloudwatch_metric_alarm.queue), keys(aws_cloudwatch_metric_alarm.function))
    timers    = { for name, timer in aws_scheduler_schedule.this : name => timer.target[0].input }
    policies = merge(
      { (var.name) = aws_iam_role_policy.this.policy },
      length(var.timers) > 0 ? { "${var.name}-timers" = aws_iam_role_policy.timers[0].policy } : {},
    )
  }
}
