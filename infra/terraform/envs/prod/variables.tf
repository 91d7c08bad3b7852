variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-central-1"
}

variable "architecture" {
  description = "x86_64 or arm64, of functions and image alike; what `make lambda` and the image were built for."
  type        = string
  default     = "arm64"
}

variable "lambda_dir" {
  description = "The folder that `make lambda` fills."
  type        = string
  default     = "../../../../target/lambda"
}

variable "image_tag" {
  description = "The image of the edge and the intake; empty while none has been pushed, and neither runs."
  type        = string
  default     = ""
}

variable "smpp_cidrs" {
  description = "Addresses from which customers may bind."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "domain" {
  description = "A domain of your own, such as sms.example.com; empty for the names that AWS gives."
  type        = string
  default     = ""
}

variable "dns_zone_id" {
  description = "The Route 53 zone that holds the domain."
  type        = string
  default     = ""
}

variable "console_certificate_arn" {
  description = "A certificate for console.<domain> in us-east-1; empty for CloudFront's name."
  type        = string
  default     = ""
}

variable "database_proxy" {
  description = "Whether RDS Proxy stands before PostgreSQL."
  type        = bool
  default     = false
}

variable "rabbitmq" {
  description = "A RabbitMQ beside SQS, for containers; null for none."
  type        = object({ instance_type = string, cluster = bool })
  default     = null
}

variable "log_filter" {
  description = "What programs log, such as info or info,route=debug."
  type        = string
  default     = "info"
}

variable "alarm_emails" {
  description = "Who is told of alarms; each address must be confirmed by a click."
  type        = list(string)
  default     = []
}
