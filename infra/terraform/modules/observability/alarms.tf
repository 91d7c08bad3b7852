# Alarms of what is not one function's own; each function brings those of its queue and of itself.

locals {
  alarms = {
    http-errors = {
      description = "The HTTP API answers with 5xx."
      namespace   = "AWS/ApiGateway", metric = "5xx", statistic = "Sum"
      dimensions  = { ApiId = var.http_api_id }
      threshold   = 5
    }
    postgres-cpu = {
      description = "PostgreSQL has little processor time left."
      namespace   = "AWS/RDS", metric = "CPUUtilization", statistic = "Average"
      dimensions  = { DBInstanceIdentifier = var.postgres_identifier }
      threshold   = 80
    }
    postgres-connections = {
      description = "PostgreSQL has few connections left."
      namespace   = "AWS/RDS", metric = "DatabaseConnections", statistic = "Maximum"
      dimensions  = { DBInstanceIdentifier = var.postgres_identifier }
      threshold   = floor(0.9 * var.connections_max)
    }
    redis-memory = {
      description = "Redis is nearly full."
      namespace   = "AWS/ElastiCache", metric = "DatabaseMemoryUsagePercentage", statistic = "Maximum"
      dimensions  = { ReplicationGroupId = var.redis_identifier }
      threshold   = 80
    }
    edge-unhealthy = {
      description = "An SMPP edge does not answer the load balancer."
      namespace   = "AWS/NetworkELB", metric = "UnHealthyHostCount", statistic = "Maximum"
      dimensions  = { LoadBalancer = var.load_balancer_suffix, TargetGroup = var.target_group_suffix }
      threshold   = 0
    }
  }

  # Over series that no one knows beforehand: operators and their queues are made while the platform runs.
  queries = {
    bind-backing-off = {
      description = "A session with an operator is down and is tried again: `chappe smpp operators`."
      sql         = "SELECT MAX(edge_binds) FROM SCHEMA(\"Chappe\", operator, state) WHERE state = 'backing_off'"
      threshold   = 0
    }
    bind-refused = {
      description = "An operator refuses our bind; a person must look: `chappe smpp operators`."
      sql         = "SELECT MAX(edge_binds) FROM SCHEMA(\"Chappe\", operator, state) WHERE state = 'refused'"
      threshold   = 0
    }
    parked = {
      description = "A handler parked an envelope: `chappe parked list`."
      sql         = "SELECT SUM(chappe_handled_total) FROM SCHEMA(\"Chappe\", handler, verdict) WHERE verdict = 'park'"
      threshold   = 0
    }
    sweeps = {
      description = "A timer's work fails again and again."
      sql         = "SELECT SUM(chappe_sweep_errors_total) FROM SCHEMA(\"Chappe\", sweep)"
      threshold   = 0
    }
    books = {
      description = "The nightly check found the books wrong: `chappe ledger verify` says what."
      sql         = "SELECT MAX(chappe_ledger_violations) FROM SCHEMA(\"Chappe\")"
      threshold   = 0
      datapoints  = 1
    }
    journal-unsealed = {
      description = "Journal entries wait for their seal: does a transaction stay open?"
      sql         = "SELECT MAX(chappe_ledger_unsealed_age_seconds) FROM SCHEMA(\"Chappe\")"
      threshold   = 900
    }
    any-queue-age = {
      description = "Some queue of this account, an operator's or a customer's included, has not moved for an hour."
      sql         = "SELECT MAX(ApproximateAgeOfOldestMessage) FROM SCHEMA(\"AWS/SQS\", QueueName)"
      threshold   = 3600
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.dimensions
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic]
  ok_actions          = [var.alarm_topic]
}

# Counted downwards, so it stands alone.
resource "aws_cloudwatch_metric_alarm" "storage" {
  alarm_name          = "${var.prefix}-postgres-storage"
  alarm_description   = "PostgreSQL has less than 5 GB of storage left."
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  statistic           = "Minimum"
  dimensions          = { DBInstanceIdentifier = var.postgres_identifier }
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 5 * 1024 * 1024 * 1024
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic]
  ok_actions          = [var.alarm_topic]
}

resource "aws_cloudwatch_metric_alarm" "query" {
  for_each            = local.queries
  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = each.value.description
  evaluation_periods  = 5
  datapoints_to_alarm = try(each.value.datapoints, 3)
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic]
  ok_actions          = [var.alarm_topic]

  metric_query {
    id          = "q"
    expression  = each.value.sql
    period      = 60
    return_data = true
  }
}
