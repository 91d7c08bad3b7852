variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "alarm_topic" {
  description = "Where alarms go."
  type        = string
}

variable "http_api_id" {
  description = "The HTTP API."
  type        = string
}

variable "functions" {
  description = "The names of all functions."
  type        = list(string)
}

variable "queues" {
  description = "The names of all work queues."
  type        = list(string)
}

variable "postgres_identifier" {
  description = "The database."
  type        = string
}

variable "connections_max" {
  description = "The database's max_connections."
  type        = number
}

variable "redis_identifier" {
  description = "The Redis."
  type        = string
}

variable "load_balancer_suffix" {
  description = "The load balancer of SMPP, as CloudWatch names it."
  type        = string
}

variable "target_group_suffix" {
  description = "Its target group, as CloudWatch names it."
  type        = string
}
