variable "budget" {
  description = "Monthly budget; null sets none."
  type        = object({ amount = number, billing_account = string })
}

variable "emails" {
  description = "Who is told."
  type        = set(string)
}

variable "environment" {
  description = "Name of the environment."
  type        = string
}

variable "health" {
  description = "What the uptime check asks."
  type        = object({ host = string, path = string })
}

variable "http_functions" {
  description = "Functions whose callers wait."
  type        = set(string)
}

variable "lag_seconds" {
  description = "Age of an unprocessed event that is too old."
  type        = number
  default     = 600
}

variable "latency_ms" {
  description = "95th percentile that is too slow (document 004: 500 ms)."
  type        = number
  default     = 500
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "project_number" {
  description = "Number of the project."
  type        = string
}

variable "region" {
  description = "Region of the kept request lines."
  type        = string
}

variable "security_events" {
  description = "Audited refusals of one code in ten minutes that are too many."
  type        = number
  default     = 50
}

variable "subscriptions" {
  description = "Subscriptions of the consumers."
  type        = set(string)
}
