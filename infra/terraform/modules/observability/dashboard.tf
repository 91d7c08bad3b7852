# One page that shows whether messages flow. Left to right, as they do.

locals {
  search = "SEARCH('{%s} MetricName=\"%s\" \"%s\"', '%s', 60)"

  graphs = [
    {
      title = "Requests and errors of the HTTP API"
      metrics = [
        ["AWS/ApiGateway", "Count", "ApiId", var.http_api_id, { stat = "Sum" }],
        [".", "4xx", ".", ".", { stat = "Sum" }],
        [".", "5xx", ".", ".", { stat = "Sum" }],
      ]
    },
    {
      title   = "Time of the HTTP API, ms"
      metrics = [for stat in ["p50", "p99"] : ["AWS/ApiGateway", "Latency", "ApiId", var.http_api_id, { stat = stat }]]
    },
    {
      title   = "Age of the oldest envelope, s"
      metrics = [for name in var.queues : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name, { stat = "Maximum" }]]
    },
    {
      title   = "Envelopes parked"
      metrics = [for name in var.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${name}--parked", { stat = "Maximum" }]]
    },
    {
      title = "Waiting for operators"
      metrics = [[{ expression = format(
        local.search, "AWS/SQS,QueueName", "ApproximateNumberOfMessagesVisible", "${var.prefix}-submit--", "Maximum"
      ) }]]
    },
    {
      title   = "Binds of operators"
      metrics = [[{ expression = format(local.search, "Chappe,operator,state", "edge_binds", "bound", "Maximum") }]]
    },
    {
      title   = "Outcomes of submits"
      metrics = [[{ expression = format(local.search, "Chappe,class", "edge_outcomes_total", "", "Sum") }]]
    },
    {
      title   = "Functions at once"
      metrics = [for name in var.functions : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", name, { stat = "Maximum" }]]
    },
    {
      title   = "Time of functions, p99, ms"
      metrics = [for name in var.functions : ["AWS/Lambda", "Duration", "FunctionName", name, { stat = "p99" }]]
    },
    {
      title   = "Errors of functions"
      metrics = [for name in var.functions : ["AWS/Lambda", "Errors", "FunctionName", name, { stat = "Sum" }]]
    },
    {
      title = "PostgreSQL: processor, %, and connections"
      metrics = [
        ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", var.postgres_identifier, { stat = "Average" }],
        [".", "DatabaseConnections", ".", ".", { stat = "Maximum", yAxis = "right" }],
      ]
    },
    {
      title = "PostgreSQL: commit latency, s"
      metrics = [
        ["AWS/RDS", "WriteLatency", "DBInstanceIdentifier", var.postgres_identifier, { stat = "Average" }],
        [".", "ReadLatency", ".", ".", { stat = "Average" }],
      ]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({
    widgets = [for index, graph in local.graphs : {
      type   = "metric"
      x      = 8 * (index % 3)
      y      = 6 * floor(index / 3)
      width  = 8
      height = 6
      properties = {
        title   = graph.title
        region  = var.region
        period  = 60
        view    = "timeSeries"
        metrics = graph.metrics
      }
    }]
  })
}
