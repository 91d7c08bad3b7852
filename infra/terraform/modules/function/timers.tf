# Ticks of a clock, each with the looks that the function shall take.

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:the input names looks and holds no data
  for_each            = var.timers
  name                = "${local.full_name}-${each.key}"
  schedule_expression = each.value.every

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.timers[0].arn
    input    = jsonencode({ looks = each.value.looks })

    # The next tick is the better retry; nothing may pile up behind a fault.
    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }
}

resource "aws_iam_role" "timers" {
  count = length(var.timers) > 0 ? 1 : 0
  name  = "${local.full_name}-timers"
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

resource "aws_iam_role_policy" "timers" {
  count = length(var.timers) > 0 ? 1 : 0
  name  = "invoke"
  role  = aws_iam_role.timers[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Invoke"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [aws_lambda_function.this.arn]
    }]
  })
}
