variable "days" {
  description = "Days after which objects are deleted; null keeps them."
  type        = number
  default     = null
}

variable "deletion_protection" {
  description = "Whether a bucket with objects refuses to be deleted."
  type        = bool
}

variable "name" {
  description = "Name, unique in all of Cloud Storage."
  type        = string
}

variable "noncurrent_days" {
  description = "Days that replaced or deleted objects can still be restored."
  type        = number
  default     = 7
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}
