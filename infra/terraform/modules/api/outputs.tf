output "http_api_id" {
  value = aws_apigatewayv2_api.http.id
}

output "websocket_api_id" {
  value = aws_apigatewayv2_api.websocket.id
}

output "url" {
  description = "Where the HTTP API is."
  value       = var.domain == "" ? aws_apigatewayv2_api.http.api_endpoint : "https://api.${var.domain}"
}

output "websocket_url" {
  description = "Where clients connect for events."
  value = (
    var.domain == "" ? "${aws_apigatewayv2_api.websocket.api_endpoint}/${local.websocket_stage}" : "wss://ws.${var.domain}"
  )
}

# Made of the API's id alone, so that the function can be told before the routes that lead to it exist.
output "connections_url" {
  description = "Where the function posts to connections."
  value       = "https://${aws_apigatewayv2_api.websocket.id}.execute-api.${var.region}.amazonaws.com/${local.websocket_stage}"
}

output "connections_arns" {
  description = "What it needs for that: to post, and to close."
  value = [for verb in ["POST", "DELETE"] :
  "${aws_apigatewayv2_api.websocket.execution_arn}/${local.websocket_stage}/${verb}/@connections/*"]
}

output "audit" {
  description = "What the tests hold the APIs to."
  value = {
    throttled = alltrue([for stage in [aws_apigatewayv2_stage.http, aws_apigatewayv2_stage.websocket] :
    stage.default_route_settings[0].throttling_rate_limit > 0])
    access_log = aws_apigatewayv2_stage.http.access_log_settings[0].format
    routes     = sort([for route in aws_apigatewayv2_route.websocket : route.route_key])
    names      = sort([for name in aws_apigatewayv2_domain_name.this : name.domain_name])
  }
}
