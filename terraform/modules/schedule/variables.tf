variable "attempts" {
  description = "Tries of one run."
  type        = number
}

variable "cron" {
  description = "Cron expression."
  type        = string
}

variable "description" {
  description = "What the job is for."
  type        = string
}

variable "invoker" {
  description = "E-mail of the account that calls."
  type        = string
}

variable "name" {
  description = "Function, and name of its job."
  type        = string
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "time_zone" {
  description = "IANA time zone."
  type        = string
}

variable "timeout" {
  description = "Seconds the function may take."
  type        = number
}

variable "url" {
  description = "Address of the function."
  type        = string
}
