variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "cidr" {
  description = "The addresses of the network, a /16."
  type        = string
}

variable "zones" {
  description = "The availability zones to use, at most eight."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 8
    error_message = "A database and a load balancer want at least two zones; the address plan holds eight."
  }
}

variable "nat_gateways" {
  description = "How many NAT gateways: one is cheap, one per zone survives the loss of a zone."
  type        = number
}

variable "interface_endpoints" {
  description = "AWS services to reach without the NAT, such as sqs or secretsmanager."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "Encrypts the logs."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
