# Redis: rates, the sessions of customers and operators, connections of the WebSocket API. Nothing that must not be lost.

resource "aws_elasticache_subnet_group" "this" {
  name       = var.prefix
  subnet_ids = var.subnets
}

# Redis takes its first password from Terraform, which therefore is in the state; DEPLOY.md replaces it by one that is
# not. Kept as it was first drawn: every read of the data source draws another.
data "aws_secretsmanager_random_password" "redis" {
  password_length     = 48
  exclude_punctuation = true
}

resource "terraform_data" "redis_password" {
  input = data.aws_secretsmanager_random_password.redis.random_password

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV2_AWS_50:the environment decides: two nodes in two zones in prod, one node in dev
  replication_group_id = var.prefix
  description          = "Rates and sessions of ${var.prefix}"
  engine               = "redis"
  engine_version       = "7.1"
  node_type            = var.redis_node_type
  port                 = 6379
  parameter_group_name = "default.redis7"

  num_cache_clusters         = var.redis_nodes
  automatic_failover_enabled = var.redis_nodes > 1
  multi_az_enabled           = var.redis_nodes > 1

  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.redis.id]
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = true
  auth_token                 = terraform_data.redis_password.output
  auto_minor_version_upgrade = true
  maintenance_window         = "sun:03:00-sun:04:00"

  lifecycle {
    ignore_changes = [auth_token]
  }
}
