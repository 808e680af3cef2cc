# Firestore: the database, its indexes and TTL policies, its rules, its backups.

locals {
  _indexes = merge([
    for collection, declared in var.collections : {
      for fields in declared.indexes : "${collection}/${join(",", fields)}" => {
        collection = collection
        fields = [
          for field in fields : {
            contains = endswith(field, "[]") ? "CONTAINS" : null
            order    = endswith(field, "[]") ? null : startswith(field, "-") ? "DESCENDING" : "ASCENDING"
            path     = trimsuffix(trimprefix(field, "-"), "[]")
          }
        ]
      }
    }
  ]...)
  _fields = merge([
    for collection, declared in var.collections : {
      for field in setunion(declared.unindexed, declared.ttl) : "${collection}/${field}" => {
        collection = collection
        field      = field
        indexed    = !contains(declared.unindexed, field)
        ttl        = contains(declared.ttl, field)
      }
    }
  ]...)
}

resource "google_firestore_database" "this" {
  project     = var.project_id
  name        = var.database_id
  location_id = var.location
  type        = "FIRESTORE_NATIVE"

  concurrency_mode                  = "PESSIMISTIC"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.deletion_protection ? "ABANDON" : "DELETE"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
}

# Point-in-time recovery reaches back seven days and lives in the database;
# backups outlive it.
resource "google_firestore_backup_schedule" "daily" {
  project   = var.project_id
  database  = google_firestore_database.this.name
  retention = "2592000s"

  daily_recurrence {}
}

resource "google_firestore_index" "this" {
  for_each = local._indexes

  project     = var.project_id
  database    = google_firestore_database.this.name
  collection  = each.value.collection
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = each.value.fields
    content {
      array_config = fields.value.contains
      field_path   = fields.value.path
      order        = fields.value.order
    }
  }
}

resource "google_firestore_field" "this" {
  for_each = local._fields

  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = each.value.collection
  field      = each.value.field

  # An empty block exempts the field; none leaves it indexed as every field is.
  dynamic "index_config" {
    for_each = each.value.indexed ? [] : [true]
    content {}
  }

  dynamic "ttl_config" {
    for_each = each.value.ttl ? [true] : []
    content {}
  }
}

resource "google_firebaserules_ruleset" "this" {
  project = var.project_id

  source {
    files {
      name    = "firestore.rules"
      content = var.rules
    }
  }

  # The release must never point to a ruleset that is gone.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_firestore_database.this]
}

resource "google_firebaserules_release" "this" {
  project = var.project_id
  name = (
    var.database_id == "(default)" ? "cloud.firestore" : "cloud.firestore/${var.database_id}"
  )
  ruleset_name = "projects/${var.project_id}/rulesets/${google_firebaserules_ruleset.this.name}"
}
