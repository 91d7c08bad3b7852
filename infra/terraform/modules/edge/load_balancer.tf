# Where customers bind over SMPP: a network load balancer with fixed addresses, plain on 2775 and in TLS on 3550.

locals {
  smpp_port  = 2775
  tls_port   = 3550
  watch_port = 9090

  listeners = merge(
    { smpp = { port = local.smpp_port, protocol = "TCP", certificate_arn = null, policy = null } },
    var.domain == "" ? {} : {
      smpps = {
        port            = local.tls_port
        protocol        = "TLS"
        certificate_arn = var.certificate_arn
        policy          = "ELBSecurityPolicy-TLS13-1-2-2021-06"
      }
    }
  )
}

# Customers write these addresses into their firewalls, so they outlive the load balancer.
resource "aws_eip" "smpp" {
  #checkov:skip=CKV2_AWS_19:they belong to the load balancer
  count  = length(var.public_subnets)
  domain = "vpc"
  tags   = { Name = "${var.prefix}-smpp-${count.index}" }
}

resource "aws_lb" "smpp" {
  #checkov:skip=CKV_AWS_91:a network load balancer logs TLS connections only; the edge logs every bind
  #checkov:skip=CKV_AWS_150:the environment decides: protected in prod, not in dev
  name                             = "${var.prefix}-smpp"
  load_balancer_type               = "network"
  internal                         = false
  security_groups                  = [aws_security_group.load_balancer.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.protected

  dynamic "subnet_mapping" {
    for_each = aws_eip.smpp

    content {
      subnet_id     = var.public_subnets[subnet_mapping.key]
      allocation_id = subnet_mapping.value.id
    }
  }
}

resource "aws_lb_target_group" "smpp" {
  #checkov:skip=CKV_AWS_378:SMPP is TCP; its TLS ends at the load balancer
  name        = "${var.prefix}-smpp"
  port        = local.smpp_port
  protocol    = "TCP"
  target_type = "ip"
  vpc_id      = var.vpc_id

  # The customer's address reaches the edge in the PROXY header; systems have lists of allowed addresses.
  proxy_protocol_v2  = true
  preserve_client_ip = false

  # The edge closes its sessions by itself within this time; what is left then is cut.
  deregistration_delay   = 120
  connection_termination = true

  # With PROXY protocol on, its header comes before health checks as well, and HTTP would answer 400 to it. So: a
  # connection to the watch port, which closes at the beginning of a stop. Not to 2775, where it would look like a bind.
  health_check {
    protocol            = "TCP"
    port                = local.watch_port
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "smpp" {
  #checkov:skip=CKV_AWS_2:SMPP without TLS is what most customers speak; TLS is on 3550
  #checkov:skip=CKV_AWS_103:SMPP without TLS is what most customers speak; TLS is on 3550
  for_each          = local.listeners
  load_balancer_arn = aws_lb.smpp.arn
  port              = each.value.port
  protocol          = each.value.protocol
  certificate_arn   = each.value.certificate_arn
  ssl_policy        = each.value.policy

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.smpp.arn
  }
}

resource "aws_route53_record" "smpp" {
  count   = var.domain == "" ? 0 : 1
  zone_id = var.dns_zone_id
  name    = "smpp.${var.domain}"
  type    = "A"

  alias {
    name                   = aws_lb.smpp.dns_name
    zone_id                = aws_lb.smpp.zone_id
    evaluate_target_health = true
  }
}
