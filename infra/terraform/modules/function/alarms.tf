# What wakes somebody up: work that waits, work that was set aside, and failures of the function itself.

locals {
  queue_alarms = {
    age = {
      description = "Envelopes wait too long in the queue ${local.full_name}."
      metric      = "ApproximateAgeOfOldestMessage"
      queue       = local.full_name
      threshold   = var.age_alarm_seconds
    }
    parked = {
      description = "Something of ${local.full_name} was parked: see `chappe parked list`."
      metric      = "ApproximateNumberOfMessagesVisible"
      queue       = "${local.full_name}--parked"
      threshold   = 0
    }
  }

  function_alarms = {
    errors = {
      description = "Invocations of ${local.full_name} fail."
      metric      = "Errors"
    }
    throttles = {
      description = "Lambda throttles ${local.full_name}: the account's concurrency is used up."
      metric      = "Throttles"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each            = var.queue == null ? {} : local.queue_alarms
  alarm_name          = "${local.full_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic]
  ok_actions          = [var.alarm_topic]
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each            = local.function_alarms
  alarm_name          = "${local.full_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic]
  ok_actions          = [var.alarm_topic]
}
