# Copies that outlive what they are copies of: a weekly export of the database,
# and weekly snapshots of the tables that nothing else can make again. Daily
# backups and point-in-time recovery are the database's own (module database).

locals {
  _bucket  = "${var.project_id}-xynergy-backups"
  _account = "xynergy-backup"
  _email   = "${local._account}@${var.project_id}.iam.gserviceaccount.com"
  _member  = "serviceAccount:${local._email}"
  _dataset = "xynergy_snapshots"

  # Tenants' data sets come and go at run time, so the statement looks for them.
  _snapshots = <<-SQL
    DECLARE day STRING DEFAULT FORMAT_DATE('%Y%m%d', CURRENT_DATE());
    FOR found IN (
      SELECT table_schema, table_name
      FROM `${var.project_id}`.`region-${var.region}`.INFORMATION_SCHEMA.TABLES
      WHERE table_type = 'BASE TABLE'
        AND table_schema != '${local._dataset}'
        AND table_name IN (${join(", ", [for table in sort(tolist(var.tables)) : "'${table}'"])})
    )
    DO
      EXECUTE IMMEDIATE FORMAT(
        'CREATE SNAPSHOT TABLE IF NOT EXISTS `${var.project_id}.${local._dataset}.%s__%s__%s` CLONE `${var.project_id}.%s.%s`',
        found.table_schema, found.table_name, day, found.table_schema, found.table_name
      );
    END FOR;
  SQL
}

module "bucket" {
  source = "../bucket"

  days                = var.export_days
  deletion_protection = var.deletion_protection
  name                = local._bucket
  project_id          = var.project_id
  region              = var.region
}

resource "google_service_account" "this" {
  project      = var.project_id
  account_id   = local._account
  display_name = "Makes backups"
  description  = "Exports the database and snapshots tables; runs no function and answers nobody."
}

# The right to export is also the right to import: Google knows no narrower one.
resource "google_project_iam_member" "exports" {
  project = var.project_id
  role    = "roles/datastore.importExportAdmin"
  member  = local._member

  condition {
    title       = "this database"
    description = "Exports our database and no other."
    expression  = "resource.name == \"projects/${var.project_id}/databases/${var.database}\""
  }

  depends_on = [google_service_account.this]
}

# Firestore writes the files itself, as its own agent.
resource "google_storage_bucket_iam_member" "exports" {
  for_each = {
    account = local._member
    agent   = "serviceAccount:service-${var.project_number}@gcp-sa-firestore.iam.gserviceaccount.com"
  }

  bucket = module.bucket.name
  role   = "roles/storage.objectUser"
  member = each.value

  depends_on = [google_service_account.this]
}

resource "google_cloud_scheduler_job" "export" {
  project     = var.project_id
  region      = var.region
  name        = "xynergy-firestore-export"
  description = "Exports every document of the database; each costs a read."
  schedule    = "30 3 * * 0"
  time_zone   = "Etc/UTC"

  retry_config {
    retry_count          = 3
    min_backoff_duration = "60s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://firestore.googleapis.com/v1/projects/${var.project_id}/databases/${var.database}:exportDocuments"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ outputUriPrefix = "gs://${module.bucket.name}" }))

    oauth_token {
      scope                 = "https://www.googleapis.com/auth/datastore"
      service_account_email = local._email
    }
  }

  depends_on = [google_project_iam_member.exports]
}

resource "google_bigquery_dataset" "snapshots" {
  count = length(var.tables) > 0 ? 1 : 0

  project                    = var.project_id
  dataset_id                 = local._dataset
  location                   = var.region
  description                = "Weekly snapshots of measurements, which no document holds."
  delete_contents_on_destroy = !var.deletion_protection
  # A snapshot costs what changed in its table since.
  default_table_expiration_ms = var.snapshot_days * 86400000
}

resource "google_project_iam_member" "snapshots" {
  for_each = {
    "roles/bigquery.jobUser"        = null
    "roles/bigquery.metadataViewer" = null
    "roles/bigquery.dataViewer"     = var.data_sets
    "roles/bigquery.dataEditor" = join(" || ", [
      "resource.name == \"projects/${var.project_id}/datasets/${local._dataset}\"",
      "resource.name.startsWith(\"projects/${var.project_id}/datasets/${local._dataset}/\")",
    ])
  }

  project = var.project_id
  role    = each.key
  member  = local._member

  dynamic "condition" {
    for_each = each.value == null ? [] : [each.value]
    content {
      title       = "our data sets"
      description = "Reads tenants' tables, writes their snapshots, and nothing else."
      expression  = condition.value
    }
  }

  depends_on = [google_service_account.this]
}

resource "google_bigquery_data_transfer_config" "snapshots" {
  count = length(var.tables) > 0 ? 1 : 0

  project              = var.project_id
  location             = var.region
  display_name         = "xynergy-snapshots"
  data_source_id       = "scheduled_query"
  schedule             = "every sunday 04:00"
  service_account_name = local._email
  params               = { query = local._snapshots }

  email_preferences {
    enable_failure_email = true
  }

  depends_on = [google_bigquery_dataset.snapshots, google_project_iam_member.snapshots]
}
