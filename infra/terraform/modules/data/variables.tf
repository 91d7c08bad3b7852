variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "partition" {
  description = "The AWS partition, aws almost everywhere."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "Private subnets in at least two zones."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "Encrypts all that is stored."
  type        = string
}

variable "postgres_clients" {
  description = "Security groups that may reach PostgreSQL, by what they are."
  type        = map(string)
}

variable "redis_clients" {
  description = "Security groups that may reach Redis, by what they are."
  type        = map(string)
}

variable "postgres_major" {
  description = "The major version of PostgreSQL, 15 or newer."
  type        = string
  default     = "16"
}

variable "instance_class" {
  description = "The size of the database, such as db.t4g.micro."
  type        = string
}

variable "multi_az" {
  description = "Whether a second instance in another zone takes over when the first is lost."
  type        = bool
}

variable "storage_gb" {
  description = "Storage at the beginning."
  type        = number
}

variable "storage_max_gb" {
  description = "Up to where storage grows by itself."
  type        = number
}

variable "backup_days" {
  description = "How far back a restore can reach, to the second, at most 35."
  type        = number
}

variable "protected" {
  description = "Whether the database refuses to be deleted, and leaves a snapshot when it is."
  type        = bool
}

variable "connections_max" {
  description = "The server's max_connections."
  type        = number
}

variable "proxy" {
  description = "Whether RDS Proxy stands before the database."
  type        = bool
}

variable "redis_node_type" {
  description = "The size of Redis, such as cache.t4g.micro."
  type        = string
}

variable "redis_nodes" {
  description = "1, or 2 and more for a failover."
  type        = number
}
