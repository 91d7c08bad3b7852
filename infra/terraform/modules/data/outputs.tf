output "postgres_host" {
  description = "The proxy where there is one, else the database."
  value       = var.proxy ? aws_db_proxy.this[0].endpoint : aws_db_instance.this.address
}

output "postgres_identifier" {
  value = aws_db_instance.this.identifier
}

output "postgres_security_group" {
  value = aws_security_group.postgres.id
}

output "redis_host" {
  value = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "redis_identifier" {
  value = aws_elasticache_replication_group.this.replication_group_id
}

output "redis_security_group" {
  value = aws_security_group.redis.id
}

output "database_secret_arn" {
  description = "JSON with username and password, changed by RDS."
  value       = local.database_secret_arn
}

output "platform_secret_arn" {
  value = aws_secretsmanager_secret.platform.arn
}

output "redis_secret_arn" {
  value = aws_secretsmanager_secret.redis.arn
}

output "audit" {
  description = "What the tests hold the stores to."
  value = {
    encrypted = alltrue([
      aws_db_instance.this.storage_encrypted,
      tobool(aws_elasticache_replication_group.this.at_rest_encryption_enabled),
      aws_elasticache_replication_group.this.transit_encryption_enabled,
      aws_secretsmanager_secret.platform.kms_key_id == var.kms_key_arn,
      aws_secretsmanager_secret.redis.kms_key_id == var.kms_key_arn,
    ])
    multi_az        = aws_db_instance.this.multi_az
    protected       = aws_db_instance.this.deletion_protection
    backup_days     = aws_db_instance.this.backup_retention_period
    redis_nodes     = aws_elasticache_replication_group.this.num_cache_clusters
    connections_max = var.connections_max
    proxies         = length(aws_db_proxy.this)
    policies        = { for policy in aws_iam_role_policy.proxy : "rds-proxy" => policy.policy }
  }
}
