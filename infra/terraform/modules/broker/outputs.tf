output "url_secret_arn" {
  description = "Holds QUEUE_URL for containers on RabbitMQ."
  value       = aws_secretsmanager_secret.url.arn
}

output "arn" {
  value = aws_mq_broker.this.arn
}
