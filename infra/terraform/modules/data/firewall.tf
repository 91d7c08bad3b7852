# Who may speak with PostgreSQL and Redis.

resource "aws_security_group" "postgres" {
  name        = "${var.prefix}-postgres"
  description = "PostgreSQL"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "redis" {
  name        = "${var.prefix}-redis"
  description = "Redis"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "postgres" {
  for_each                     = var.postgres_clients
  security_group_id            = aws_security_group.postgres.id
  referenced_security_group_id = each.value
  description                  = "From ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  for_each                     = var.redis_clients
  security_group_id            = aws_security_group.redis.id
  referenced_security_group_id = each.value
  description                  = "From ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}
