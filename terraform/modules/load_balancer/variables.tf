variable "domain" {
  description = "Host name."
  type        = string
}

variable "functions" {
  description = "HTTP functions."
  type        = set(string)
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region of the functions."
  type        = string
}

variable "requests_per_minute" {
  description = "Requests a minute from one address."
  type        = number
  default     = 1200
}
