variable "name" {
  description = "Topic id."
  type        = string
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region that messages stay in."
  type        = string
}
