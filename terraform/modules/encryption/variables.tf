variable "labels" {
  description = "Labels of the key."
  type        = map(string)
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "protection_level" {
  description = "SOFTWARE or HSM."
  type        = string
}

variable "region" {
  description = "Where the key stands: with the functions, so that its loss and theirs are one."
  type        = string
}

variable "rotation_days" {
  description = "Days after which a new version wraps; earlier ones go on unwrapping."
  type        = number
}
