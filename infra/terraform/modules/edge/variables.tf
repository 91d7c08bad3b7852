variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "account" {
  description = "The AWS account, for trust policies."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64; the image is built for it."
  type        = string
}

variable "image_tag" {
  description = "The image to run; empty while none has been pushed, and nothing runs."
  type        = string
}

variable "collector_image" {
  description = "AWS's collector of metrics."
  type        = string
  default     = "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.1"
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "public_subnets" {
  description = "Where the load balancer stands; each gets a fixed address."
  type        = list(string)
}

variable "private_subnets" {
  description = "Where the tasks run."
  type        = list(string)
}

variable "smpp_cidrs" {
  description = "Addresses from which customers may bind."
  type        = list(string)
}

variable "certificate_arn" {
  description = "The certificate of SMPP in TLS on port 3550; empty without a domain."
  type        = string
}

variable "domain" {
  description = "A domain of your own, which gets smpp.<domain>, and SMPP in TLS; empty for the load balancer's name and plain SMPP."
  type        = string
}

variable "dns_zone_id" {
  description = "The Route 53 zone of the domain."
  type        = string
}

variable "edge_count" {
  description = "How many edges; one per zone. More than one share operators' binds through Redis."
  type        = number
}

variable "edge_size" {
  description = "Of one edge: 1024 CPU units are a processor."
  type        = object({ cpu = number, memory_mb = number })
}

variable "intake_count" {
  description = "How many processes serve the edges' internal API."
  type        = number
}

variable "intake_size" {
  description = "Of one intake."
  type        = object({ cpu = number, memory_mb = number })
}

variable "environment" {
  description = "Environment variables of every program."
  type        = map(string)
}

variable "edge_environment" {
  description = "Further ones of the edge, which has no database."
  type        = map(string)
}

variable "intake_environment" {
  description = "Further ones of the intake."
  type        = map(string)
}

variable "database_url" {
  description = "The database of migrate and ledger, without user and password."
  type        = string
}

variable "database_secret" {
  description = "The secret with the database's user and password, as RDS keeps it."
  type        = string
}

variable "platform_secret" {
  description = "The secret with the platform's key, for house and seed."
  type        = string
}

variable "edge_statements" {
  description = "IAM statements of the edge."
  type        = any
}

variable "intake_statements" {
  description = "IAM statements of the intake."
  type        = any
}

variable "postgres_security_group" {
  description = "The group of PostgreSQL."
  type        = string
}

variable "redis_security_group" {
  description = "The group of Redis."
  type        = string
}

variable "protected" {
  description = "Whether load balancer and images refuse to be deleted."
  type        = bool
}

variable "kms_key_arn" {
  description = "Encrypts images and logs."
  type        = string
}

variable "alarm_topic" {
  description = "Where alarms go."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
