# Who may speak with whom: customers with the load balancer, it with the edges, the edges with the intake.

resource "aws_security_group" "load_balancer" {
  name        = "${var.prefix}-smpp"
  description = "SMPP customers"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "edge" {
  name        = "${var.prefix}-edge"
  description = "SMPP edges"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "intake" {
  name        = "${var.prefix}-intake"
  description = "The internal API"
  vpc_id      = var.vpc_id
}

locals {
  doors = { for pair in setproduct(keys(local.listeners), var.smpp_cidrs) : "${pair[0]} ${pair[1]}" => {
    port = local.listeners[pair[0]].port
    cidr = pair[1]
  } }

  # from the load balancer to the edges
  inner_ports = { smpp = local.smpp_port, watch = local.watch_port }

  # from the tasks to the world: operators listen on any port, and AWS services on 443
  ways_out = {
    edge   = { group = aws_security_group.edge.id, from = 1, to = 65535, what = "Operators and AWS" }
    intake = { group = aws_security_group.intake.id, from = 443, to = 443, what = "AWS" }
  }

  data_ways = {
    "edge redis"      = { from = aws_security_group.edge.id, to = var.redis_security_group, port = 6379 }
    "intake redis"    = { from = aws_security_group.intake.id, to = var.redis_security_group, port = 6379 }
    "intake postgres" = { from = aws_security_group.intake.id, to = var.postgres_security_group, port = 5432 }
  }
}

resource "aws_vpc_security_group_ingress_rule" "customers" {
  for_each          = local.doors
  security_group_id = aws_security_group.load_balancer.id
  description       = "SMPP customers"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "to_edge" {
  for_each                     = local.inner_ports
  security_group_id            = aws_security_group.load_balancer.id
  referenced_security_group_id = aws_security_group.edge.id
  description                  = "To the edges, ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_ingress_rule" "to_edge" {
  for_each                     = local.inner_ports
  security_group_id            = aws_security_group.edge.id
  referenced_security_group_id = aws_security_group.load_balancer.id
  description                  = "From the load balancer, ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_ingress_rule" "to_intake" {
  security_group_id            = aws_security_group.intake.id
  referenced_security_group_id = aws_security_group.edge.id
  description                  = "From the edges"
  ip_protocol                  = "tcp"
  from_port                    = local.internal_port
  to_port                      = local.internal_port
}

resource "aws_vpc_security_group_egress_rule" "out" {
  for_each          = local.ways_out
  security_group_id = each.value.group
  description       = each.value.what
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value.from
  to_port           = each.value.to
}

resource "aws_vpc_security_group_egress_rule" "data" {
  for_each                     = local.data_ways
  security_group_id            = each.value.from
  referenced_security_group_id = each.value.to
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}
