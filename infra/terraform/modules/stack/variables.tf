variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev; lower case, digits and single hyphens."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.prefix)) && length(var.prefix) <= 20
    error_message = "At most 20 of lower case letters, digits and single hyphens: load balancers have short names, and two hyphens part the names of queues."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "cidr" {
  description = "The addresses of the network, a /16."
  type        = string
  default     = "10.20.0.0/16"
}

variable "zones" {
  description = "How many availability zones to use."
  type        = number
}

variable "nat_gateways" {
  description = "How many NAT gateways: one is cheap, one per zone survives the loss of a zone."
  type        = number
}

variable "interface_endpoints" {
  description = "AWS services to reach without the NAT, such as sqs or secretsmanager; each costs per hour and zone."
  type        = list(string)
  default     = []
}

variable "architecture" {
  description = "x86_64 or arm64, of functions and image alike."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "x86_64 or arm64."
  }
}

variable "lambda_dir" {
  description = "The folder that `make lambda` fills: <architecture>/<function>.zip."
  type        = string
}

variable "image_tag" {
  description = "The image of the edge and the intake; empty while none has been pushed, and neither runs."
  type        = string
  default     = ""
}

variable "concurrency" {
  description = "The most environments at once, by function, at least 2 for one with a queue. Bounds the database's connections."
  type        = map(number)
}

variable "reserve_concurrency" {
  description = "Reserves the API's concurrency. A new account may have too little of it; ask AWS for more first."
  type        = bool
}

variable "api" {
  description = "Requests per second over all customers, and at once."
  type        = object({ rate = number, burst = number })
}

variable "edge" {
  description = "SMPP edges: how many (one per zone when null) and how large; 1024 CPU units are a processor."
  type        = object({ count = optional(number), cpu = number, memory_mb = number })
}

variable "intake" {
  description = "Processes behind the edges: how many and how large."
  type        = object({ count = number, cpu = number, memory_mb = number })
}

variable "smpp_cidrs" {
  description = "Addresses from which customers may bind."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "database" {
  description = "PostgreSQL. url_parameters end DATABASE_URL, see README.md on certificates."
  type = object({
    instance_class  = string
    multi_az        = bool
    storage_gb      = number
    storage_max_gb  = number
    backup_days     = number
    connections_max = number
    proxy           = optional(bool, false)
    url_parameters  = optional(string, "sslmode=require")
  })
}

variable "redis" {
  description = "Redis: the size of a node, and how many; two or more fail over."
  type        = object({ node_type = string, nodes = number })
}

variable "rabbitmq" {
  description = "A RabbitMQ beside SQS, for containers; null for none."
  type        = object({ instance_type = string, cluster = bool })
  default     = null
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
  description = "A certificate for console.<domain> in us-east-1, where CloudFront looks for it; empty for CloudFront's name."
  type        = string
  default     = ""
}

variable "protected" {
  description = "Whether database, load balancer, images and secrets refuse to be deleted."
  type        = bool
}

variable "log_filter" {
  description = "What programs log, such as info or info,route=debug."
  type        = string
  default     = "info"
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "alarm_emails" {
  description = "Who is told of alarms; each address must be confirmed by a click."
  type        = list(string)
  default     = []
}
