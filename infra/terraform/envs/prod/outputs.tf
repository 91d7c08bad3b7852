output "api_url" {
  description = "The HTTP API."
  value       = module.stack.api_url
}

output "websocket_url" {
  description = "The WebSocket API."
  value       = module.stack.websocket_url
}

output "smpp_host" {
  description = "Where customers bind."
  value       = module.stack.smpp_host
}

output "smpp_ports" {
  description = "The ports there."
  value       = module.stack.smpp_ports
}

output "smpp_addresses" {
  description = "The fixed addresses of that host, for customers' firewalls."
  value       = module.stack.smpp_addresses
}

output "nat_addresses" {
  description = "What operators see as our addresses, for their allow lists."
  value       = module.stack.nat_addresses
}

output "queue_prefix" {
  description = "Begins the names of the queues."
  value       = module.stack.queue_prefix
}

output "topic_arns" {
  description = "News for systems outside."
  value       = module.stack.topic_arns
}

output "repository_url" {
  description = "Where the image is pushed to."
  value       = module.stack.repository_url
}

output "cluster" {
  description = "Where edges, intakes and commands run."
  value       = module.stack.cluster
}

output "command_network" {
  description = "For `aws ecs run-task --network-configuration`."
  value       = module.stack.command_network
}

output "console_bucket" {
  description = "Where the console's files go."
  value       = module.stack.console_bucket
}

output "console_host" {
  description = "Where the console is."
  value       = module.stack.console_host
}

output "console_distribution" {
  description = "For `aws cloudfront create-invalidation`."
  value       = module.stack.console_distribution
}

output "database" {
  description = "The database's identifier, for backups."
  value       = module.stack.database
}

output "secrets" {
  description = "Where the secrets are; not what they are."
  value       = module.stack.secrets
}

output "rabbitmq_url_secret" {
  description = "QUEUE_URL for containers on RabbitMQ, where there is one."
  value       = module.stack.rabbitmq_url_secret
}

output "dashboard" {
  description = "The dashboard's name in CloudWatch."
  value       = module.stack.dashboard
}

output "database_connections" {
  description = "Connections to PostgreSQL when everything runs at its bound."
  value       = module.stack.database_connections
}

output "audit" {
  description = "What the tests look at; for nothing else."
  value       = module.stack.audit
}
