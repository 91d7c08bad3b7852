# What functions may reach. Nobody reaches them: Lambda is called through its API.

resource "aws_security_group" "functions" {
  name        = "${var.prefix}-functions"
  description = "All functions"
  vpc_id      = module.network.vpc_id
}

resource "aws_security_group" "webhooks" {
  name        = "${var.prefix}-webhooks"
  description = "The function that calls customers' webhooks"
  vpc_id      = module.network.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "functions_aws" {
  security_group_id = aws_security_group.functions.id
  description       = "AWS services"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

locals {
  functions_data = {
    postgres = { to = module.data.postgres_security_group, port = 5432 }
    redis    = { to = module.data.redis_security_group, port = 6379 }
  }
}

resource "aws_vpc_security_group_egress_rule" "functions_data" {
  for_each                     = local.functions_data
  security_group_id            = aws_security_group.functions.id
  referenced_security_group_id = each.value.to
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# Customers choose the port of their webhook; the function itself refuses addresses that are not public.
resource "aws_vpc_security_group_egress_rule" "webhooks" {
  security_group_id = aws_security_group.webhooks.id
  description       = "Webhooks of customers"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 65535
}
