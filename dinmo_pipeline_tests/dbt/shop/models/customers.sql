{{ config(materialized='table') }}
select id as customer_id, email, country from {{ source('crm', 'people') }}
where id in (select customer_id from {{ ref('buyers') }}) or country = 'FR'
