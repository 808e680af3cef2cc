variable "name" {
  description = "Secret id."
  type        = string
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "reason" {
  description = "What it is for."
  type        = string
}

variable "region" {
  description = "Region that keeps it."
  type        = string
}
