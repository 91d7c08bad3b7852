variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "account" {
  description = "The AWS account; makes the bucket's name unique."
  type        = string
}

variable "domain" {
  description = "The console's own name, such as console.example.com; empty for CloudFront's."
  type        = string
}

variable "certificate_arn" {
  description = "A certificate for that name in us-east-1, where CloudFront looks for it; empty for CloudFront's own."
  type        = string
}
