output "api_url" {
  description = "The HTTP API."
  value       = module.api.url
}

output "websocket_url" {
  description = "The WebSocket API."
  value       = module.api.websocket_url
}

output "smpp_host" {
  description = "Where customers bind."
  value       = module.edge.host
}

output "smpp_ports" {
  description = "The ports there."
  value       = module.edge.ports
}

output "smpp_addresses" {
  description = "The fixed addresses of that host, for customers' firewalls."
  value       = module.edge.addresses
}

output "nat_addresses" {
  description = "What operators see as our addresses, for their allow lists."
  value       = module.network.nat_addresses
}

output "queue_prefix" {
  description = "Begins the names of the queues."
  value       = var.prefix
}

output "topic_arns" {
  description = "News for systems outside."
  value       = { for name, topic in aws_sns_topic.news : name => topic.arn }
}

output "repository_url" {
  description = "Where the image is pushed to."
  value       = module.edge.repository_url
}

output "cluster" {
  description = "Where edges, intakes and commands run."
  value       = module.edge.cluster
}

output "command_network" {
  description = "For `aws ecs run-task --network-configuration`."
  value = jsonencode({ awsvpcConfiguration = {
    subnets        = module.network.private_subnets
    securityGroups = [module.edge.intake_security_group]
  } })
}

output "console_bucket" {
  description = "Where the console's files go."
  value       = module.console.bucket
}

output "console_host" {
  description = "Where the console is."
  value       = module.console.host
}

output "console_distribution" {
  description = "For `aws cloudfront create-invalidation`."
  value       = module.console.distribution_id
}

output "database" {
  description = "The database's identifier, for backups."
  value       = module.data.postgres_identifier
}

output "secrets" {
  description = "Where the secrets are; not what they are."
  value       = local.secrets
}

output "rabbitmq_url_secret" {
  description = "QUEUE_URL for containers on RabbitMQ, where there is one."
  value       = one(module.broker[*].url_secret_arn)
}

output "dashboard" {
  description = "The dashboard's name in CloudWatch."
  value       = module.observability.dashboard
}

output "database_connections" {
  description = "Connections to PostgreSQL when everything runs at its bound."
  value       = local.database_connections

  precondition {
    condition     = local.database_connections <= 0.9 * var.database.connections_max
    error_message = "Functions and containers at their bounds would open ${local.database_connections} connections, more than nine tenths of max_connections. Lower `concurrency`, raise the database, or switch the proxy on."
  }
}

output "audit" {
  description = "What the tests look at; for nothing else."
  value = {
    functions   = { for name, function in module.function : name => function.audit }
    environment = local.function_environment
    data        = module.data.audit
    edge        = module.edge.audit
    api         = module.api.audit
    brokers     = length(module.broker)
    nat         = length(module.network.nat_addresses)
    alarms      = module.observability.alarms
    topics = { for topic in concat(values(aws_sns_topic.news), [aws_sns_topic.alarms]) :
    topic.name => topic.kms_master_key_id == aws_kms_key.this.arn }
    policies = merge(concat(
      [module.network.policies, module.data.audit.policies, module.edge.audit.policies],
      [for function in module.function : function.audit.policies],
    )...)
  }
}
