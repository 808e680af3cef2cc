variable "authorized_domains" {
  description = "Host names whose pages may sign people in."
  type        = set(string)
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "second_factor" {
  description = "Whether everybody needs a second factor."
  type        = bool
}
