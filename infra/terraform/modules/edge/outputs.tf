output "host" {
  description = "Where customers bind."
  value       = var.domain == "" ? aws_lb.smpp.dns_name : "smpp.${var.domain}"
}

output "ports" {
  description = "Ports of the host: smpp, and smpps in TLS where there is a certificate."
  value       = { for name, listener in local.listeners : name => listener.port }
}

output "addresses" {
  description = "The host's fixed addresses, for customers' firewalls."
  value       = aws_eip.smpp[*].public_ip
}

output "repository_url" {
  description = "Where the image is pushed to."
  value       = aws_ecr_repository.this.repository_url
}

output "cluster" {
  value = aws_ecs_cluster.this.name
}

output "edge_security_group" {
  value = aws_security_group.edge.id
}

output "intake_security_group" {
  value = aws_security_group.intake.id
}

output "load_balancer_suffix" {
  value = aws_lb.smpp.arn_suffix
}

output "target_group_suffix" {
  value = aws_lb_target_group.smpp.arn_suffix
}

output "audit" {
  description = "What the tests hold the edge to."
  value = {
    edges          = aws_ecs_service.edge.desired_count
    intakes        = aws_ecs_service.intake.desired_count
    minimum        = aws_ecs_service.edge.deployment_minimum_healthy_percent
    drain_seconds  = tonumber(aws_lb_target_group.smpp.deregistration_delay)
    stop_seconds   = local.container.edge.stopTimeout
    grace_seconds  = local.grace_seconds
    proxy_protocol = aws_lb_target_group.smpp.proxy_protocol_v2
    check_protocol = aws_lb_target_group.smpp.health_check[0].protocol
    ports          = sort([for listener in aws_lb_listener.smpp : tostring(listener.port)])
    protected      = aws_lb.smpp.enable_deletion_protection
    books_told     = aws_cloudwatch_event_target.ledger.arn == var.alarm_topic && strcontains(aws_cloudwatch_event_rule.ledger.event_pattern, "anything-but")
    books_checked  = aws_scheduler_schedule.ledger.schedule_expression
    commands       = { for name, program in local.programs : name => join(" ", program.command) }
    variables      = { for name, container in local.container : name => [for one in container.environment : one.name] }
    policies = merge(
      { for name, policy in aws_iam_role_policy.task : "${name}-task" => policy.policy },
      { execution = aws_iam_role_policy.execution.policy, ledger-timer = aws_iam_role_policy.ledger.policy },
    )
  }
}
