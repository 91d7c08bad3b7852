variable "prefix" {
  description = "Begins the name of everything, such as chappe-dev."
  type        = string
}

variable "name" {
  description = "The function's name, which is also its queue's."
  type        = string
}

variable "description" {
  description = "What the function does, for people."
  type        = string
}

variable "account" {
  description = "The AWS account, for trust policies."
  type        = string
}

variable "zip" {
  description = "The file with the program `bootstrap`."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64; the program is built for it."
  type        = string
}

variable "memory_mb" {
  description = "Memory; processor time grows with it."
  type        = number
}

variable "timeout_seconds" {
  description = "How long an invocation may take. The limits of a whole batch fit into it."
  type        = number
}

variable "reserved_concurrency" {
  description = "Environments kept for this function, and the most it gets; -1 for no reservation."
  type        = number
  default     = -1
}

variable "environment" {
  description = "The environment variables. No secrets: those are fetched by their ARN."
  type        = map(string)
}

variable "subnets" {
  description = "Where the function's network interfaces are."
  type        = list(string)
}

variable "security_groups" {
  description = "What the function may reach."
  type        = list(string)
}

variable "queue" {
  description = "How the queue wakes the function; null for a function without one."
  type = object({
    batch_size     = number # records of an invocation, at most 10 without a window
    window_seconds = number # how long Lambda gathers a batch
    concurrency    = number # environments at once, 2 to 1000
  })
  default = null
}

variable "timers" {
  description = "Ticks by name: a schedule expression, and the looks that are handed over as {\"looks\": [...]}."
  type = map(object({
    every = string
    looks = list(string)
  }))
  default = {}
}

variable "statements" {
  description = "Further statements of the function's IAM policy."
  type        = any
  default     = []
}

variable "kms_key_arn" {
  description = "Encrypts the environment and the logs."
  type        = string
}

variable "alarm_topic" {
  description = "Where alarms go."
  type        = string
}

variable "age_alarm_seconds" {
  description = "The age of the oldest envelope that raises an alarm."
  type        = number
  default     = 300
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}
