# Once a week the books are checked against everything that is stored; every night the sweep checks what is new. A check
# that ends badly raises an alarm.

resource "aws_scheduler_schedule" "ledger" {
  #checkov:skip=CKV_AWS_297:the schedule holds no data
  name                = "${var.prefix}-ledger"
  schedule_expression = "cron(15 3 ? * SUN *)"
  state               = local.has_image ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.ledger.arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.this["ledger"].arn
      launch_type         = "FARGATE"
      task_count          = 1

      network_configuration {
        subnets         = var.private_subnets
        security_groups = [aws_security_group.intake.id]
      }
    }
  }
}

resource "aws_iam_role" "ledger" {
  name = "${var.prefix}-ledger-timer"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    }]
  })
}

resource "aws_iam_role_policy" "ledger" {
  name = "run"
  role = aws_iam_role.ledger.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "RunTask"
        Effect   = "Allow"
        Action   = ["ecs:RunTask"]
        Resource = ["${aws_ecs_task_definition.this["ledger"].arn_without_revision}:*"]
      },
      {
        Sid      = "PassRoles"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = [aws_iam_role.execution.arn]
      },
    ]
  })
}

# Exit code 0 is all that may pass. A task that could not start has none, and is told as well.
resource "aws_cloudwatch_event_rule" "ledger" {
  name        = "${var.prefix}-ledger"
  description = "The books are wrong, or could not be checked"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [aws_ecs_cluster.this.arn]
      group      = ["family:${aws_ecs_task_definition.this["ledger"].family}"]
      lastStatus = ["STOPPED"]
      "$or" = [
        { containers = { exitCode = [{ anything-but = 0 }] } },
        { containers = { exitCode = [{ exists = false }] } },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "ledger" {
  rule      = aws_cloudwatch_event_rule.ledger.name
  target_id = "alarm"
  arn       = var.alarm_topic
}
