# The WebSocket API: events as they happen. API Gateway ends a connection that is idle for 10 minutes, and any after two
# hours: clients ping, and come again.

resource "aws_apigatewayv2_api" "websocket" {
  name                         = "${var.prefix}-websocket"
  description                  = "Events of customers as they happen"
  protocol_type                = "WEBSOCKET"
  route_selection_expression   = "$request.body.action"
  disable_execute_api_endpoint = false # the function posts to connections through it
}

resource "aws_apigatewayv2_integration" "websocket" {
  api_id             = aws_apigatewayv2_api.websocket.id
  integration_type   = "AWS_PROXY"
  integration_method = "POST"
  integration_uri    = var.realtime_invoke_arn
}

resource "aws_apigatewayv2_route" "websocket" {
  #checkov:skip=CKV_AWS_309:the function authenticates at $connect
  for_each  = toset(["$connect", "$disconnect", "$default"])
  api_id    = aws_apigatewayv2_api.websocket.id
  route_key = each.value
  target    = "integrations/${aws_apigatewayv2_integration.websocket.id}"
}

resource "aws_apigatewayv2_stage" "websocket" {
  #checkov:skip=CKV2_AWS_51:customers show an API key or a token at $connect, not a certificate
  api_id      = aws_apigatewayv2_api.websocket.id
  name        = local.websocket_stage
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.rate
    throttling_burst_limit   = var.burst
    detailed_metrics_enabled = true
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      at      = "$context.requestTimeEpoch"
      request = "$context.requestId"
      ip      = "$context.identity.sourceIp"
      event   = "$context.eventType"
      status  = "$context.status"
      error   = "$context.integrationErrorMessage"
    })
  }

  depends_on = [aws_apigatewayv2_route.websocket]
}

resource "aws_lambda_permission" "websocket" {
  statement_id  = "WebSocketApi"
  action        = "lambda:InvokeFunction"
  function_name = var.realtime_function
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.websocket.execution_arn}/*/*"
}

locals {
  websocket_stage = "live"
}
