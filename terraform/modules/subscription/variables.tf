variable "dead_letter_consumers" {
  description = "Functions that take what this consumer could not process, by name."
  type = map(object({
    email   = string
    filter  = string
    ordered = bool
    retry   = object({ maximum = number, minimum = number })
    timeout = number
    url     = string
  }))
}

variable "environment" {
  description = "Name of the environment."
  type        = string
}

variable "filter" {
  description = "Filter over attributes. A change replaces the subscription: see README.md."
  type        = string
}

variable "invoker" {
  description = "Account that delivers."
  type        = object({ email = string, id = string })
}

variable "name" {
  description = "Function, and name of its subscription."
  type        = string
}

variable "notification_channels" {
  description = "Where alerts go."
  type        = list(string)
}

variable "ordered" {
  description = "Whether messages of one key come in order."
  type        = bool
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "pubsub_agent" {
  description = "Pub/Sub's own account."
  type        = string
}

variable "region" {
  description = "Region that messages stay in."
  type        = string
}

variable "retry" {
  description = "Attempts before a message is set aside, and seconds between them."
  type        = object({ attempts = number, maximum = number, minimum = number })

  validation {
    condition     = var.retry.attempts >= 5 && var.retry.attempts <= 100
    error_message = "Pub/Sub sets messages aside after 5 to 100 attempts."
  }

  validation {
    condition     = var.retry.minimum <= var.retry.maximum && var.retry.maximum <= 600
    error_message = "Pub/Sub waits 600 seconds at most, and the least wait is not above the longest."
  }
}

variable "timeout" {
  description = "Seconds the function may take."
  type        = number
}

variable "topic" {
  description = "Topic."
  type        = string
}

variable "url" {
  description = "Address of the function."
  type        = string
}
