variable "memory_gb" {
  description = "Size of Redis."
  type        = number
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "tier" {
  description = "BASIC or STANDARD_HA."
  type        = string
}
