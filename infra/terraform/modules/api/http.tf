# The HTTP API: every request goes to the function `api`, which knows the routes.

resource "aws_apigatewayv2_api" "http" {
  name                         = "${var.prefix}-http"
  description                  = "The API of customers and of the console"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.domain != ""
}

resource "aws_apigatewayv2_integration" "http" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = var.api_invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_route" "http" {
  #checkov:skip=CKV_AWS_309:the function authenticates by API key or token, and /healthz is open to all
  api_id    = aws_apigatewayv2_api.http.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.http.id}"
}

resource "aws_apigatewayv2_stage" "http" {
  #checkov:skip=CKV2_AWS_51:customers show an API key or a token, not a certificate
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.rate
    throttling_burst_limit   = var.burst
    detailed_metrics_enabled = true
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode(local.access_log)
  }
}

resource "aws_lambda_permission" "http" {
  statement_id  = "HttpApi"
  action        = "lambda:InvokeFunction"
  function_name = var.api_function
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.http.execution_arn}/*/*"
}

# No path and no query: they may hold phone numbers, which never reach a log. The function logs its route by name.
locals {
  access_log = {
    at          = "$context.requestTimeEpoch"
    request     = "$context.requestId"
    ip          = "$context.identity.sourceIp"
    method      = "$context.httpMethod"
    route       = "$context.routeKey"
    status      = "$context.status"
    bytes       = "$context.responseLength"
    took_ms     = "$context.responseLatency"
    function_ms = "$context.integrationLatency"
    error       = "$context.integrationErrorMessage"
  }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:access logs hold addresses of customers, which are not kept for a year
  name              = "/${var.prefix}/access"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
