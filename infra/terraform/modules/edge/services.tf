# The services that stay: the edges behind the load balancer, and the intake behind a name inside the network.

resource "aws_ecs_cluster" "this" {
  name = var.prefix

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name = "${var.prefix}.internal"
  vpc  = var.vpc_id
}

resource "aws_service_discovery_service" "intake" {
  name          = "intake"
  force_destroy = true

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }

  # ECS tells which tasks live.
  health_check_custom_config {
    failure_threshold = 1
  }
}

locals {
  intake_host = "intake.${aws_service_discovery_private_dns_namespace.this.name}"
}

resource "aws_ecs_service" "edge" {
  name            = "edge"
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this["edge"].arn
  launch_type     = "FARGATE"
  desired_count   = local.has_image ? var.edge_count : 0

  # A new edge is there before an old one goes. Fargate spreads the tasks over the zones, and keeps them spread.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"
  health_check_grace_period_seconds  = 30

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.private_subnets
    security_groups = [aws_security_group.edge.id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.smpp.arn
    container_name   = "chappe"
    container_port   = local.smpp_port
  }

  depends_on = [aws_lb_listener.smpp, aws_iam_role_policy.task]
}

resource "aws_ecs_service" "intake" {
  name            = "intake"
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this["intake"].arn
  launch_type     = "FARGATE"
  desired_count   = local.has_image ? var.intake_count : 0

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.private_subnets
    security_groups = [aws_security_group.intake.id]
  }

  service_registries {
    registry_arn = aws_service_discovery_service.intake.arn
  }

  depends_on = [aws_iam_role_policy.task]
}
