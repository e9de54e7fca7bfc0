{{ config(materialized='ephemeral') }}
select distinct customer_id from {{ ref('orders') }}
