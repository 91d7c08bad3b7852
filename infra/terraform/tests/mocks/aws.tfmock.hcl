# What `terraform test` is told instead of AWS's answers, where the provider checks their form.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
}

mock_data "aws_secretsmanager_random_password" {
  defaults = { random_password = "0123456789abcdef0123456789abcdef" }
}

mock_resource "aws_acm_certificate" {
  defaults = {
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock"
    domain_validation_options = [
      { domain_name = "api.sms.example.com", resource_record_name = "a", resource_record_type = "CNAME", resource_record_value = "a" },
      { domain_name = "smpp.sms.example.com", resource_record_name = "b", resource_record_type = "CNAME", resource_record_value = "b" },
      { domain_name = "ws.sms.example.com", resource_record_name = "c", resource_record_type = "CNAME", resource_record_value = "c" },
    ]
  }
}

mock_resource "aws_acm_certificate_validation" {
  defaults = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock" }
}

mock_resource "aws_apigatewayv2_api" {
  defaults = {
    api_endpoint  = "https://mock.execute-api.eu-central-1.amazonaws.com"
    execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:mock"
  }
}

mock_resource "aws_cloudfront_distribution" {
  defaults = { arn = "arn:aws:cloudfront::123456789012:distribution/MOCK" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mock" }
}

mock_resource "aws_db_instance" {
  defaults = {
    address            = "mock.eu-central-1.rds.amazonaws.com"
    master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds" }]
  }
}

mock_resource "aws_db_proxy" {
  defaults = { endpoint = "proxy.eu-central-1.rds.amazonaws.com" }
}

mock_resource "aws_ecs_cluster" {
  defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/mock" }
}

mock_resource "aws_ecs_task_definition" {
  defaults = {
    arn                  = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mock:1"
    arn_without_revision = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mock"
  }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/mock" }
}

mock_resource "aws_lambda_function" {
  defaults = {
    arn        = "arn:aws:lambda:eu-central-1:123456789012:function:mock"
    invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/mock/invocations"
  }
}

mock_resource "aws_lb" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/net/mock/1" }
}

mock_resource "aws_lb_target_group" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/mock/1" }
}

mock_resource "aws_mq_broker" {
  defaults = { instances = [{ endpoints = ["amqps://mock.mq.eu-central-1.amazonaws.com:5671"] }] }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mock" }
}

mock_resource "aws_service_discovery_service" {
  defaults = { arn = "arn:aws:servicediscovery:eu-central-1:123456789012:service/mock" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:mock" }
}

mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:mock" }
}

# A name of chance may begin with a digit, which the provider refuses.
mock_resource "aws_db_proxy_default_target_group" {
  defaults = {
    name = "default"
  }
}
