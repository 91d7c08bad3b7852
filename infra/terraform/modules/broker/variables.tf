variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "Private subnets; three for a cluster."
  type        = list(string)
}

variable "clients" {
  description = "Security groups that may reach the broker, by what they are."
  type        = map(string)
}

variable "instance_type" {
  description = "The size, such as mq.m5.large."
  type        = string
  default     = "mq.m5.large"
}

variable "cluster" {
  description = "Three nodes in several zones, as quorum queues want; else one."
  type        = bool
}

variable "kms_key_arn" {
  description = "Encrypts what is stored."
  type        = string
}
