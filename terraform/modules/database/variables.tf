variable "collections" {
  description = "Indexes (fields in order, - for descending), fields exempt from indexing, and TTL fields."
  type = map(object({
    indexes   = set(list(string))
    ttl       = set(string)
    unindexed = set(string)
  }))

  validation {
    condition = alltrue(flatten([
      for declared in values(var.collections) : [for fields in declared.indexes : length(fields) >= 2]
    ]))
    error_message = "A composite index has two fields or more: single fields are indexed anyway."
  }
}

variable "database_id" {
  description = "Database."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
}

variable "location" {
  description = "Location of the database."
  type        = string
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "rules" {
  description = "Security rules."
  type        = string
}
