variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "api_function" {
  description = "The name of the function behind the HTTP API."
  type        = string
}

variable "api_invoke_arn" {
  description = "How API Gateway calls it."
  type        = string
}

variable "realtime_function" {
  description = "The name of the function behind the WebSocket API."
  type        = string
}

variable "realtime_invoke_arn" {
  description = "How API Gateway calls it."
  type        = string
}

variable "rate" {
  description = "Requests per second, over all customers; each customer's own limit is the function's business."
  type        = number
}

variable "burst" {
  description = "Requests at once."
  type        = number
}

variable "domain" {
  description = "A domain of your own, such as sms.example.com; empty for the names of API Gateway."
  type        = string
}

variable "dns_zone_id" {
  description = "The Route 53 zone of the domain."
  type        = string
}

variable "certificate_arn" {
  description = "A certificate for the names below the domain."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts the logs."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
