variable "project_id" {
  description = "Project."
  type        = string
}

variable "project_number" {
  description = "Number of the project."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "source_bucket" {
  description = "Bucket of the bundles."
  type        = string
}
