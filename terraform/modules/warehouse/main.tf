# BigQuery: fixed data sets, and the data sets of tenants that Terraform keeps.
# All other tenants' are made by the provisioning function, from the same
# declarations.

locals {
  _datasets = merge(
    { for dataset in var.datasets : dataset => "Platform-wide analytical data." },
    merge([
      for tenant in var.tenants : {
        for dataset in distinct(values(var.relations)[*].dataset) :
        replace(dataset, "{tenant_id}", tenant) => "Analytical data of tenant ${tenant}."
        if strcontains(dataset, "{tenant_id}")
      }
    ]...),
  )
  _relations = merge(concat(
    [{
      for name, relation in var.relations : "${relation.dataset}.${name}" => merge(relation, { name = name })
      if !strcontains(relation.dataset, "{tenant_id}")
    }],
    [
      for tenant in var.tenants : {
        for name, relation in var.relations :
        "${replace(relation.dataset, "{tenant_id}", tenant)}.${name}" => merge(relation, {
          name    = name
          dataset = replace(relation.dataset, "{tenant_id}", tenant)
          query = relation.query == null ? null : replace(
            relation.query, "{tenant_id}", tenant
          )
        })
        if strcontains(relation.dataset, "{tenant_id}")
      }
    ],
  )...)
}

resource "google_bigquery_dataset" "this" {

  for_each = local._datasets

  project                    = var.project_id
  dataset_id                 = each.key
  location                   = var.region
  description                = each.value
  delete_contents_on_destroy = !var.deletion_protection
}

resource "google_bigquery_table" "this" {

  for_each = { for id, relation in local._relations : id => relation if relation.query == null }

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.this[each.value.dataset].dataset_id
  table_id            = each.value.name
  description         = each.value.description
  schema              = jsonencode(each.value.schema)
  clustering          = each.value.cluster
  deletion_protection = var.deletion_protection

  # No `require_partition_filter`: the merge and the read views look rows up by
  # key, whatever their day; queries over days prune all the same.
  dynamic "time_partitioning" {
    for_each = each.value.partition == null ? [] : [each.value.partition]
    content {
      type  = "DAY"
      field = time_partitioning.value
      expiration_ms = (
        each.value.expires_after == null ? null : each.value.expires_after * 86400000
      )
    }
  }
}

resource "google_bigquery_table" "view" {

  for_each = { for id, relation in local._relations : id => relation if relation.query != null }

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.this[each.value.dataset].dataset_id
  table_id            = each.value.name
  description         = each.value.description
  deletion_protection = false

  view {
    query          = replace(each.value.query, "{project_id}", var.project_id)
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.this]
}
