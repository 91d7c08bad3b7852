output "dashboard" {
  value = aws_cloudwatch_dashboard.this.dashboard_name
}

output "alarms" {
  description = "The names of the alarms, without the prefix."
  value = concat(
    keys(aws_cloudwatch_metric_alarm.this), keys(aws_cloudwatch_metric_alarm.query), ["postgres-storage"]
  )
}
